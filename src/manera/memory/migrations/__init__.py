"""How the store's tables became what they are: Alembic's steps, up and down."""
