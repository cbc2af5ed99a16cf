"""How is a learning curve shown: as text, as a table and as a chart?"""
