"""How ions move: hops found by symmetry, their barriers by nudged elastic bands, diffusion by molecular dynamics."""
