"""ReportFunction: reports every minute what was processed."""
