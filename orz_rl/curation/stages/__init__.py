"""The stages of curation, one file each: what of the rows is kept, changed or dropped, and why."""
