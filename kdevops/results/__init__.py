"""What tests did: stored, compared with a baseline kept in git, judged."""
