"""What a disk is packed in: VHD, and the containers of others, which are read."""
