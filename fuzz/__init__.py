"""Would the tests notice? Changes to the code that a test should fail for."""
