"""What is told of these nets, as sentences that are checked."""
