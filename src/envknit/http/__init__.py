"""HTTP as an index needs it: sessions, bounds, logins, and where pip has them from."""
