"""Where an image's bytes come from: a file or block device, a URL, a page blob, an opened dissect Target."""
