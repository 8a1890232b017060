"""The processes that hold models and engines, how weights get from one to the other, and where each is placed."""
