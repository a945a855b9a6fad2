"""The bot: a voice in Telegram, through the API."""
