"""What methods on vision transformers share."""
