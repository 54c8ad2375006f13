"""Choose versions: from requirements to the pins of a lock."""
