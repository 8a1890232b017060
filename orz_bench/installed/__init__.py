"""What is installed beside the packages: the optional dependencies, and plug-ins of other packages."""
