"""What an operation is, and how one is printed: for Python, JavaScript, MathML and as text."""
