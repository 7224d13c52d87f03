"""The centre's pages and interfaces: what the store holds and what is live, for people and programs."""
