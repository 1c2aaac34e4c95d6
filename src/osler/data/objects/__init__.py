"""Pictures with objects in them: boxes, outlines and classes, read from the forms that people file them in."""
