"""The quick look at rate capability: curves of capacity against rate, fitted with laws of two or three numbers."""
