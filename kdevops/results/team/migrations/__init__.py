"""What alembic runs to make the tables of a team's store, or to bring them up to date."""
