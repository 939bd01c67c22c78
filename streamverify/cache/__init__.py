"""The stores of the result cache: where entries live beyond one worker's memory. They hold bytes, and judge none."""
