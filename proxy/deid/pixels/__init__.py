"""What stands in pixels: so far only the decision whether they may leave unseen."""
