"""What is trained here; it uses the workbench, and nothing in the workbench uses it."""
