"""Shows what analysis returns, in the browser. Not yet built: this package is empty."""
