"""What the campaign `parsers` is made of: mutations, and targets to give the mutants to."""
