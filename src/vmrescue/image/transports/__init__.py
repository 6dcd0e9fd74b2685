"""Sources of an image's bytes: a file or block device, a URL, a page blob, an opened dissect Target."""
