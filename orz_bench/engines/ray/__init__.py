"""Several engines over Ray behind one interface."""
