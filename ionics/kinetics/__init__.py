"""What happens at a junction or contact; knows no grid."""
