"""What other people's reports found in graders, as generators of answers: dresses, changes, hedges, constants."""
