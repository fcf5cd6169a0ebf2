"""What moderators and admins see and do."""
