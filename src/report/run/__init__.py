"""Which files of a run are the report page and the model card made from?"""
