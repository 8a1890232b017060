"""Responses generated in stages: thoughts forced to a length, and sentences chosen by a critic"""
