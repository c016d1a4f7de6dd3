"""The console: pages for people, below ``/console``. A shell like dicomweb; it decides nothing about instances."""
