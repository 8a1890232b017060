"""Which tokens a training step learns from: shares of advantage and update by entropy, length and word"""
