"""A network at rest, measured: what each layer gives, sees and costs, and how the gradient gets through it."""
