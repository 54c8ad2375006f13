"""Flow 3: lock in, store and plan out."""
