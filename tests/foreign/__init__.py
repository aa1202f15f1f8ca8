"""Peers that are not ours: the library of the reference on the other end of our connections."""
