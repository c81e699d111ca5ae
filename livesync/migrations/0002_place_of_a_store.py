"""A store says which engine keeps it, and may have a longer backend id, from elsewhere."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("livesync", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="store",
            name="place",
            field=models.CharField(
                choices=[
                    ("database", "Database"),
                    ("files", "Files"),
                    ("to database", "To Database"),
                    ("to files", "To Files"),
                ],
                db_default="database",
                default="database",
                help_text="The engine that keeps the events.",
                max_length=11,
            ),
        ),
        migrations.AlterField(
            model_name="store",
            name="backend_id",
            field=models.CharField(
                help_text="Identity of this history; a new one makes clients start over.",
                max_length=128,
            ),
        ),
    ]
