"""What is taught: the eight stops of the guided path, what each measures in a run, and the line of code each shows."""
