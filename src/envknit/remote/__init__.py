"""Objects of one side on the other: proxies, what crosses by value, the operations, and the channel they go through."""
