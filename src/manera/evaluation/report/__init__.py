"""What a report says: its figures and their file, and the page in Russian or English."""
