"""Several processes at one model: the mesh, sharding, tensor parallelism, tensors on disk."""
