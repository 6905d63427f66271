"""Who finds out what the work of a feature is: `static` looks at documents and repository, without a model."""
