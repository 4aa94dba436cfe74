"""`outer rollback`: publish a version again that is still kept, in one switch and with evidence."""
