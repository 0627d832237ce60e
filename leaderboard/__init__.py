"""The leaderboard: records in, tables and a static site out."""
