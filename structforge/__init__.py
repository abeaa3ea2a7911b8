"""StructForge: workflows drawn as graphs or written as notebooks, run durably."""
