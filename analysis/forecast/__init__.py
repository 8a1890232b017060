"""Where a training curve is heading: saturating laws fitted to it, with intervals, and the reasons to say nothing."""
