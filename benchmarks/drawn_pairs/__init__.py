"""What `verify` says of graphs drawn at random: faults planted in them, and rewrites of them."""
