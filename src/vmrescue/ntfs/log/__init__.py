"""The volume's log, $LogFile: its state and its replay."""
