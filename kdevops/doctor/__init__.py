"""What this machine has and lacks, and the commands that fix it."""
