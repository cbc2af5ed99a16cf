"""How are results shown? Pictures, the report page, the model card, and tables of text; it never loads the model."""
