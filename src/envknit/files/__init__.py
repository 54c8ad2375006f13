"""Read and write what people write and review: the project and its lock."""
