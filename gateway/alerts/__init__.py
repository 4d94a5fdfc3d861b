"""Who is told what: causes of trouble, told once each by mail and webhook, and told when they are over."""
