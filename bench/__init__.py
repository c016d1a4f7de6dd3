"""What Veil costs, measured: ``python -m bench``. Not part of the product; imports only its public entries."""
